package soundserver

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jfreymuth/pulse/proto"
)

// Microphone is a virtual one: what is played to its sink is recorded from its source, in any program.
type Microphone struct {
	server  *Server
	modules []uint32 // in the order in which they were loaded
	sink    Device
	source  string
	label   string
}

const (
	microphoneName = "vc_mic"
	nullSink       = "module-null-sink"
	remapSource    = "module-remap-source"
)

// NewMicrophone makes a virtual microphone. Where another program has one already, this one gets a number. It outlives the program
// unless it is closed: the next one's RemoveStale finds it then.
func (s *Server) NewMicrophone(rate int) (*Microphone, error) {
	sources, err := s.Sources()
	if err != nil {
		return nil, err
	}
	name, label := microphoneName, "vc voice changer"
	for n := 2; slices.ContainsFunc(sources, func(d Device) bool { return d.Name == name }); n++ {
		name, label = fmt.Sprintf("%s_%d", microphoneName, n), fmt.Sprintf("vc voice changer %d", n)
	}
	m := &Microphone{server: s, source: name, label: label}
	sinkName := name + "_sink"
	args := fmt.Sprintf(`sink_name=%s rate=%d channels=1 channel_map=mono sink_properties='device.description="%s (do not play here)" %s="%s"'`,
		sinkName, rate, label, idProperty, s.id)
	// A sink that can take back what it has played runs seconds ahead when idle, and its sound comes a block later.
	if err = m.load(nullSink, args+" norewinds=1"); err != nil {
		err = m.load(nullSink, args) // PulseAudio before 15 cannot do without
	}
	if err == nil {
		err = m.load(remapSource, fmt.Sprintf(`master=%s.monitor source_name=%s source_properties='device.description="%s" %s="%s"'`,
			sinkName, name, label, idProperty, s.id))
	}
	var sinks []Device
	if err == nil {
		sinks, err = s.Sinks()
	}
	if err == nil {
		if m.sink, err = Find(sinks, sinkName); err == nil {
			return m, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("making a virtual microphone: %w", err), m.Close())
}

func (m *Microphone) load(module, args string) error {
	var reply proto.LoadModuleReply
	if err := m.server.request(&proto.LoadModule{Name: module, Args: args}, &reply); err != nil {
		return fmt.Errorf("%s: %w", module, err)
	}
	m.modules = append(m.modules, reply.ModuleIndex)
	return nil
}

// Sink is where to play what the microphone shall give.
func (m *Microphone) Sink() Device { return m.sink }

// Source is the name of the microphone, and label what programs show to people.
func (m *Microphone) Source() (name, label string) { return m.source, m.label }

// Close removes the microphone.
func (m *Microphone) Close() error {
	var failed error
	for _, index := range slices.Backward(m.modules) {
		failed = errors.Join(failed, m.server.unload(index))
	}
	m.modules = nil
	return failed
}

func (s *Server) unload(index uint32) error {
	err := s.request(&proto.UnloadModule{ModuleIndex: index}, nil)
	if errors.Is(err, proto.ErrNoSuchEntity) {
		return nil // it went with the one that it hung on
	}
	return err
}

// ownModule is one that a virtual microphone was made of, here or by another program.
type ownModule struct {
	index uint32
	owner string
	args  string
}

func (s *Server) ownModules() ([]ownModule, error) {
	var list proto.GetModuleInfoListReply
	if err := s.request(&proto.GetModuleInfoList{}, &list); err != nil {
		return nil, err
	}
	var own []ownModule
	for _, m := range list {
		if m.ModuleName != nullSink && m.ModuleName != remapSource {
			continue
		}
		if _, rest, ok := strings.Cut(m.ModuleArgs, idProperty+`="`); ok {
			owner, _, _ := strings.Cut(rest, `"`)
			own = append(own, ownModule{m.ModuleIndex, owner, m.ModuleArgs})
		}
	}
	return own, nil
}

// isOwn tells whether a device is made of one of the modules.
func isOwn(own []ownModule, module uint32, name string) bool {
	return slices.ContainsFunc(own, func(m ownModule) bool {
		return m.index == module || strings.Contains(m.args, "_name="+strings.TrimSuffix(name, ".monitor")+" ")
	})
}

// RemoveStale removes the virtual microphones of programs that have not removed them and are not there any more, and says how
// many modules those were. Whether a program is there is seen by its connection, so that it does not matter where it runs.
func (s *Server) RemoveStale() (int, error) {
	own, err := s.ownModules()
	if err != nil {
		return 0, err
	}
	var clients proto.GetClientInfoListReply
	if err := s.request(&proto.GetClientInfoList{}, &clients); err != nil {
		return 0, err
	}
	alive := map[string]bool{s.id: true}
	for _, c := range clients {
		if id, ok := c.Properties[idProperty]; ok {
			alive[id.String()] = true
		}
	}
	removed := 0
	for _, m := range slices.Backward(own) {
		if alive[m.owner] {
			continue
		}
		if err := s.unload(m.index); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}
