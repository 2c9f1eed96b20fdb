package evidence

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// writeLock says who holds a write lock on the file, such as an etcd on its db and on the WAL
// segments that it writes; empty if nobody does, or nobody can tell. It does not touch the
// file: the kernel lists the locks of all processes that this one can see.
func writeLock(f *os.File) string {
	id := fileID(f)
	if id == "" {
		return ""
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return ""
	}
	pid, ok := findLock(locks, id)
	if !ok {
		return ""
	}
	if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil && pid > 0 {
		return fmt.Sprintf("process %d (%s) holds a write lock on it", pid, bytes.TrimSpace(name))
	}
	return "a process holds a write lock on it"
}

// findLock finds a write lock on the file of that ID among the lines of /proc/locks:
//
//	1: FLOCK  ADVISORY  WRITE 2483 fe:00:9977978 0 EOF
//	2: OFDLCK ADVISORY  WRITE -1 fe:00:9977979 0 EOF
//	2: -> OFDLCK ADVISORY  WRITE -1 fe:00:9977979 0 EOF    waits for it
//
// pid is -1 for a lock that belongs to an open file and not to a process.
//
// Source: lock_get_status in fs/locks.c of Linux.
func findLock(locks []byte, id string) (pid int, ok bool) {
	for line := range strings.Lines(string(locks)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[3] != "WRITE" || fields[5] != id {
			continue
		}
		switch fields[1] {
		case "FLOCK", "POSIX", "OFDLCK":
			if pid, err := strconv.Atoi(fields[4]); err == nil {
				return pid, true
			}
		}
	}
	return 0, false
}

// fileID is how the kernel names the file of f in its list of locks: the device in hexadecimal
// and the number of the inode. On file systems such as btrfs and overlayfs, stat tells another
// device; the mount's is the kernel's.
func fileID(f *os.File) string {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", f.Fd()))
	if err != nil {
		return ""
	}
	var mount, inode string
	for line := range strings.Lines(string(info)) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name {
		case "mnt_id":
			mount = strings.TrimSpace(value)
		case "ino": // since Linux 5.14
			inode = strings.TrimSpace(value)
		}
	}
	if stat, err := f.Stat(); err == nil && inode == "" {
		inode = fmt.Sprint(stat.Sys().(*syscall.Stat_t).Ino)
	}
	device := mountDevice(mount)
	if device == "" || inode == "" {
		return ""
	}
	return device + ":" + inode
}

// mountDevice is the device of a mount, by its number in /proc/self/mountinfo, whose lines
// start like
//
//	26 1 254:0 / / rw,relatime
func mountDevice(mount string) string {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer mounts.Close()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || fields[0] != mount {
			continue
		}
		var major, minor uint32
		if _, err := fmt.Sscanf(fields[2], "%d:%d", &major, &minor); err == nil {
			return fmt.Sprintf("%02x:%02x", major, minor)
		}
	}
	return ""
}
