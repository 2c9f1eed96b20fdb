//go:build !linux

package main

import (
	"io/fs"
	"os"
	"time"
)

// changeTime is not compared on this system.
func changeTime(fs.FileInfo) time.Time { return time.Time{} }

// accessTime is not compared on this system.
func accessTime(fs.FileInfo) time.Time { return time.Time{} }

// keepsAccessTime is not asked on this system.
func keepsAccessTime(*os.File) bool { return true }
