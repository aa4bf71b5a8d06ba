package main

import (
	"context"
	"sync"
	"time"

	"github.com/starvc/vc/internal/anonymize"
	"github.com/starvc/vc/internal/phones"
)

// rateHeard is how much of a recording tells how fast somebody speaks. Of a longer one the beginning does, so that recordings of any length
// take a bounded amount of memory.
const rateHeard = time.Minute

// findTempos says how the rate of each item is found, which is done when the first result of a speaker is made: finished ones need
// none. names are those of whoever has a pseudo-speaker. The rate is that of up to judgedRecordings of them, the first that can be read.
func (c *collection) findTempos(ctx context.Context, names []string, network *phones.Network) {
	ctx = context.WithoutCancel(ctx) // recordings that were begun are finished
	paths := map[string][]string{}
	for i, item := range c.items {
		paths[names[i]] = append(paths[names[i]], item.Path)
	}
	find := map[string]func() float64{}
	for name, all := range paths {
		find[name] = sync.OnceValue(func() float64 {
			var heard []phones.Reading
			for _, path := range all {
				clip, err := readStart(ctx, c.env, path, rateHeard, nil)
				if err != nil {
					continue // its conversion says why
				}
				r, err := network.Hear(clip)
				if err != nil {
					continue
				}
				if heard = append(heard, r); len(heard) == judgedRecordings {
					break
				}
			}
			return anonymize.Tempo(anonymize.Rate(heard))
		})
	}
	c.tempos = map[string]func() float64{}
	for i, item := range c.items {
		c.tempos[item.Key] = find[names[i]]
	}
}
