//go:build !linux && !darwin

package witness

import (
	"os"
	"os/exec"
)

// canUnlinkOpen says that an open file keeps its name: close removes the copy.
const canUnlinkOpen = false

// lend tells the child where the copy is: it cannot inherit files here.
func lend(_ *exec.Cmd, c *replica, r *request) { r.Path = c.readOnly.Name() }

// borrowed is the copy in the child.
func borrowed(r request) (*os.File, error) { return os.Open(r.Path) }

// freeSpace knows nothing on this system.
func freeSpace(string) (int64, bool) { return 0, false }
