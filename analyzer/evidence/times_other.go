//go:build !linux

package evidence

import (
	"io/fs"
	"os"
	"time"
)

// ChangeTime is not compared on this system.
func ChangeTime(fs.FileInfo) time.Time { return time.Time{} }

// AccessTime is not compared on this system.
func AccessTime(fs.FileInfo) time.Time { return time.Time{} }

// keepsAccessTime is not asked on this system.
func keepsAccessTime(*os.File) bool { return true }
