package sim_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// runTool runs a program of the system that the test can't do without.
func runTool(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// mountOr mounts something for the length of the test, or skips it where that
// is not allowed: without root, and in most containers.
func mountOr(t *testing.T, dir string, args ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a file system of the test's own")
	}
	if out, err := exec.Command("mount", append(args, dir)...).CombinedOutput(); err != nil {
		t.Skipf("mount is not allowed here: %v\n%s", err, out)
	}
	t.Cleanup(func() { unmount(t, dir) })
}

// unmount waits until nobody uses the folder any more; one that is not mounted
// is fine.
func unmount(t *testing.T, dir string) {
	t.Helper()
	if !mounted(t, dir) {
		return
	}
	eventually(t, "unmounted", func() bool { return exec.Command("umount", dir).Run() == nil })
}

// mounted tells whether something is mounted on the folder.
func mounted(t *testing.T, dir string) bool {
	t.Helper()
	return mountLine(t, dir) != nil
}

// mountLine is what the kernel says of the mount on a folder: device, folder,
// type, options.
func mountLine(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile("/proc/mounts")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[1] == dir {
			return fields
		}
	}
	return nil
}

// newTmpfs is a file system of a given size in memory.
func newTmpfs(t *testing.T, size string) string {
	t.Helper()
	dir := openDir(t)
	mountOr(t, dir, "-t", "tmpfs", "-o", "mode=755,size="+size, "tmpfs")
	return dir
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
}

// disk is a small ext4 file system in a file, which can be broken as a disk is.
type disk struct {
	t     *testing.T
	image string
	dir   string
}

func newDisk(t *testing.T, size string) *disk {
	t.Helper()
	d := &disk{t: t, dir: openDir(t)}
	d.image = filepath.Join(filepath.Dir(d.dir), "image")
	for _, tool := range []string{"mkfs.ext4", "losetup"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	runTool(t, "truncate", "-s", size, d.image)
	runTool(t, "mkfs.ext4", "-q", "-F", d.image)
	d.mount()
	must(t, os.Chmod(d.dir, 0o755))
	return d
}

func (d *disk) mount() {
	d.t.Helper()
	mountOr(d.t, d.dir, "-t", "ext4", "-o", "loop,errors=remount-ro", d.image)
}

// cut ends all work of the file system at once, without writing anything more:
// what programs had not synced is lost, as in a power cut. It is the request
// that the tests of file systems use.
func (d *disk) cut() {
	d.t.Helper()
	const (
		goingDown  = 0x8004587d // FS_IOC_SHUTDOWN
		noLogFlush = 2
	)
	f, err := os.Open(d.dir)
	must(d.t, err)
	defer f.Close()
	how := uint32(noLogFlush)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), goingDown, uintptr(unsafe.Pointer(&how))); errno != 0 {
		d.t.Skipf("the file system can't be cut off: %v", errno)
	}
}

// freeze makes the file system read-only with everybody's files open, as the
// kernel does when it finds an error in it.
func (d *disk) freeze() {
	d.t.Helper()
	device := filepath.Base(mountLine(d.t, d.dir)[0])
	err := os.WriteFile("/sys/fs/ext4/"+device+"/trigger_fs_error", []byte("test of memberd\n"), 0)
	if err != nil {
		d.t.Skipf("the kernel can't be made to find an error: %v", err)
	}
}

// again mounts the file system anew, which plays its journal back.
func (d *disk) again() {
	d.t.Helper()
	unmount(d.t, d.dir)
	d.mount()
}

// halt stops processes where they are. When it returns none of them is on its
// way into the kernel or out of it: what they learned there nobody will hear.
func halt(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		must(t, syscall.Kill(pid, syscall.SIGSTOP))
	}
	for _, pid := range pids {
		eventually(t, "halted", func() bool {
			states, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
			must(t, err)
			for _, name := range states {
				text, err := os.ReadFile(name)
				ended := strings.Contains(string(text), ") Z ") // and its parent does not look
				if err == nil && !ended && !strings.Contains(string(text), ") T ") {
					return false
				}
			}
			return len(states) > 0
		})
	}
}

// family is a process and its children, the youngest of them last.
func family(t *testing.T, parent int) []int {
	t.Helper()
	all := []int{parent}
	states, err := filepath.Glob("/proc/[0-9]*/stat")
	must(t, err)
	for _, name := range states {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		var pid, of int
		var state string
		_, rest, _ := strings.Cut(string(text), ") ")
		if _, err := fmt.Sscan(rest, &state, &of); err != nil || of != parent {
			continue
		}
		if _, err := fmt.Sscan(string(text), &pid); err == nil {
			all = append(all, pid)
		}
	}
	return all
}
