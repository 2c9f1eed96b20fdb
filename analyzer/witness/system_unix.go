//go:build linux || darwin

package witness

import (
	"os"
	"os/exec"
	"syscall"
)

// canUnlinkOpen says that a file can lose its name while it is open.
const canUnlinkOpen = true

// childFD is the file descriptor of the copy in the child: the first behind the
// standard ones.
const childFD = 3

// lend passes the copy to the child that cmd will be.
func lend(cmd *exec.Cmd, c *replica, _ *request) { cmd.ExtraFiles = []*os.File{c.readOnly} }

// borrowed is the copy in the child.
func borrowed(request) (*os.File, error) { return os.NewFile(childFD, "copy.db"), nil }

// freeSpace is how many bytes this user can write into dir; false if nobody knows.
func freeSpace(dir string) (int64, bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, false
	}
	const most = 1 << 62
	blocks, size := uint64(st.Bavail), uint64(st.Bsize)
	if size == 0 || blocks > most/size {
		return most, size != 0
	}
	return int64(blocks * size), true
}
