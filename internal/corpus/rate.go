package corpus

import (
	"context"

	"github.com/starvc/vc/audio"
)

// FullBand tells whether recordings reach beyond hz: those of at least half of the speakers, of whom it reads the first that can be read.
// It is an error if ctx ends.
func FullBand(ctx context.Context, speakers []Speaker, hz int) (bool, error) {
	reach := 0
	for _, s := range speakers {
		for _, path := range s.Files {
			clip, err := audio.ReadFileContext(ctx, path)
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			if err != nil {
				continue // which the training itself will tell
			}
			if clip.Rate/2 > hz {
				reach++
			}
			break
		}
	}
	return len(speakers) > 0 && 2*reach >= len(speakers), nil
}
