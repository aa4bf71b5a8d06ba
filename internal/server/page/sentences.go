package page

import "slices"

// Sentences are what somebody reads whose voice is to be learnt: written for this, with all sounds of English, questions, numbers and
// lists among them so that the melody varies too.
func Sentences() []string { return slices.Clone(sentences) }

var sentences = []string{
	"The kettle sang while the rain ran down the kitchen window.",
	"Could you pass me the blue jug from the shelf behind you?",
	"A thin yellow fog lay over the harbour all morning.",
	"We bought five apples, two pears and a pound of cherries.",
	"She measured the garden twice before she planted the oak.",
	"Why would anybody paint a church door that shade of orange?",
	"The judge chose a chair by the fire and stretched his legs.",
	"My brother's boat has three small sails and a leaking cabin.",
	"Turn left at the bridge, then follow the road to the mill.",
	"He laughed so loudly that the baby in the next room woke up.",
	"They usually measure pleasure by the treasure they find.",
	"Is it true that you walked here from the other side of town?",
	"Fresh bread, warm butter and a little honey are all I need.",
	"The old clock strikes four, although it is only half past three.",
	"Both of those brothers were thought to have gone north.",
	"Please be quiet for a moment; I am trying to hear the music.",
	"A young musician played the violin under the railway arch.",
	"The shop on the corner sells string, soap, sugar and shoes.",
	"How many stars can you count before the clouds return?",
	"Nobody knew who had left the muddy boots beside the stairs.",
	"In the year nineteen forty-eight the river froze for nine weeks.",
	"The zebra and the giraffe stood side by side in the shade.",
	"Good grief, that is the largest pumpkin I have ever seen!",
	"Her voice was calm, but her fingers drummed on the table.",
	"Up the hill, over the wall and across the field they ran.",
	"The doctor advised him to rest, to drink water and to sleep.",
	"Would you rather have the window seat or sit near the door?",
	"Charles watched the children chase each other around the church.",
	"A breath of cold air came through the gap beneath the door.",
	"The engine coughed, shook the whole van, and then fell silent.",
	"Which of these two photographs do you like better?",
	"She wrote the address on the back of a used envelope.",
	"Oil and water do not mix, no matter how long you stir.",
	"He put his book down, looked out and saw that it was snowing.",
	"The teacher asked us to describe a place where we felt at home.",
	"Thirty thick blankets were folded neatly on top of the chest.",
	"What a pity that the bakery closes at noon on Wednesdays.",
	"The path through the wood was narrow, dark and full of roots.",
	"I usually enjoy the quiet hour just after the sun goes down.",
	"Thank you for listening; that was the last of the forty sentences.",
}
