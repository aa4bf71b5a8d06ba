package soundserver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jfreymuth/pulse/proto"
)

// Device is something to record from, a source, or to play to, a sink.
type Device struct {
	Index       uint32
	Name        string // unique, such as alsa_input.usb-Blue_Yeti-00.analog-stereo
	Description string // for people
	Rate        int    // Hz
	Channels    int
	Default     bool // taken where none is chosen
	Monitor     bool // records what a sink plays
	Own         bool // made by this package: a virtual microphone, or the sink behind it
}

// Sources are the devices to record from.
func (s *Server) Sources() ([]Device, error) {
	var info proto.GetServerInfoReply
	if err := s.request(&proto.GetServerInfo{}, &info); err != nil {
		return nil, err
	}
	var sources proto.GetSourceInfoListReply
	if err := s.request(&proto.GetSourceInfoList{}, &sources); err != nil {
		return nil, err
	}
	own, err := s.ownModules()
	if err != nil {
		return nil, err
	}
	var found []Device
	for _, d := range sources {
		found = append(found, Device{
			Index: d.SourceIndex, Name: d.SourceName, Description: described(d.Properties, d.SourceName), Rate: int(d.Rate), Channels: int(d.Channels),
			Default: d.SourceName == info.DefaultSourceName, Monitor: d.MonitorSourceIndex != proto.Undefined,
			Own: isOwn(own, d.ModuleIndex, d.SourceName),
		})
	}
	return found, nil
}

// Sinks are the devices to play to.
func (s *Server) Sinks() ([]Device, error) {
	var info proto.GetServerInfoReply
	if err := s.request(&proto.GetServerInfo{}, &info); err != nil {
		return nil, err
	}
	var sinks proto.GetSinkInfoListReply
	if err := s.request(&proto.GetSinkInfoList{}, &sinks); err != nil {
		return nil, err
	}
	own, err := s.ownModules()
	if err != nil {
		return nil, err
	}
	var found []Device
	for _, d := range sinks {
		found = append(found, Device{
			Index: d.SinkIndex, Name: d.SinkName, Description: described(d.Properties, d.SinkName), Rate: int(d.Rate), Channels: int(d.Channels),
			Default: d.SinkName == info.DefaultSinkName, Own: isOwn(own, d.ModuleIndex, d.SinkName),
		})
	}
	return found, nil
}

func described(props proto.PropList, name string) string {
	if d, ok := props["device.description"]; ok && d.String() != "" {
		return d.String()
	}
	return name
}

// Find returns the device that text names: by its name, its description or its number, or by a part of one of them that no other
// device has. An empty text is the default device.
func Find(devices []Device, text string) (Device, error) {
	if text == "" {
		for _, d := range devices {
			if d.Default {
				return d, nil
			}
		}
		return Device{}, fmt.Errorf("there is no default device; there are %s", names(devices))
	}
	for _, same := range []func(Device) bool{
		func(d Device) bool { return d.Name == text },
		func(d Device) bool { return d.Description == text },
		func(d Device) bool { return strconv.FormatUint(uint64(d.Index), 10) == text },
	} {
		if i := slices.IndexFunc(devices, same); i >= 0 {
			return devices[i], nil
		}
	}
	var near []Device
	for _, d := range devices {
		if strings.Contains(strings.ToLower(d.Name+"\n"+d.Description), strings.ToLower(text)) {
			near = append(near, d)
		}
	}
	switch len(near) {
	case 0:
		return Device{}, fmt.Errorf("no device is called %q; there are %s", text, names(devices))
	case 1:
		return near[0], nil
	}
	return Device{}, fmt.Errorf("%q is part of several names: %s", text, names(near))
}

func names(devices []Device) string {
	if len(devices) == 0 {
		return "none"
	}
	var all []string
	for _, d := range devices {
		all = append(all, strconv.Quote(d.Name))
	}
	return strings.Join(all, ", ")
}
