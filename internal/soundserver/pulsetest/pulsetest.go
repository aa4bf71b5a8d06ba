// Package pulsetest starts a PulseAudio of a test's own, apart from that of the user.
package pulsetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Start starts PulseAudio with two null sinks, "first" and "second", 48 kHz stereo, and stops it when the test ends. It returns the
// environment in which programs find it. A test on a machine without PulseAudio is skipped. Where VC_SOUND_SERVER names a server, such
// as PipeWire's at unix:/run/user/1000/pulse/native, that one is taken, and must have the two sinks.
func Start(t testing.TB) map[string]string {
	t.Helper()
	if s := os.Getenv("VC_SOUND_SERVER"); s != "" {
		return map[string]string{"PULSE_SERVER": s, "HOME": os.Getenv("HOME")}
	}
	path, err := exec.LookPath("pulseaudio")
	if err != nil {
		t.Skip("PulseAudio is not installed")
	}
	// A socket's path must be short, which t.TempDir's may not be.
	dir, err := os.MkdirTemp("", "vcpulse")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "native")
	cmd := exec.Command(path, "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes", "--log-level=error",
		"-L", "module-native-protocol-unix auth-anonymous=1 socket="+socket,
		"-L", "module-null-sink sink_name=first rate=48000",
		"-L", "module-null-sink sink_name=second rate=48000")
	cmd.Env = []string{"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "PATH=" + os.Getenv("PATH")}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return map[string]string{"PULSE_SERVER": "unix:" + socket, "HOME": dir, "XDG_RUNTIME_DIR": dir}
		}
		select {
		case <-ended:
			t.Fatal("PulseAudio ended at once")
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("PulseAudio opens no socket")
		}
	}
}
