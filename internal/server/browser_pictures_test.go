package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// pictures writes what is shown at the widths of a desktop and a phone, in light and in dark, into the folder dir.
// It is an error if anything is wider than the screen. Set STUDIO_PICTURES to a folder to have them made.
func (p *studio) pictures(dir, name string) {
	p.t.Helper()
	for _, screen := range []struct {
		name   string
		width  int64
		height int64
		phone  bool
	}{{"desk", 1280, 860, false}, {"phone", 390, 844, true}} {
		for _, colours := range []string{"light", "dark"} {
			_, err := chromedp.Call(p.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
				Width: screen.width, Height: screen.height, DeviceScaleFactor: 1, Mobile: screen.phone,
			})
			if err != nil {
				p.t.Fatal(err)
			}
			_, err = chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: colours}},
			})
			if err != nil {
				p.t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond)
			if wide := value[int64](p, `document.documentElement.scrollWidth`); wide > screen.width {
				p.t.Errorf("%s on %s is %d pixels wide, the screen %d", name, screen.name, wide, screen.width)
			}
			for suffix, take := range map[string]chromedp.Action[[]byte]{"": chromedp.CaptureScreenshot(), "-all": chromedp.FullScreenshot(100)} {
				picture, err := chromedp.Run(p.ctx, take)
				if err != nil {
					p.t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s-%s%s.png", name, screen.name, colours, suffix)), picture, 0o644); err != nil {
					p.t.Fatal(err)
				}
			}
		}
	}
	if err := chromedp.Do(p.ctx, chromedp.ResetViewport()); err != nil {
		p.t.Fatal(err)
	}
}
