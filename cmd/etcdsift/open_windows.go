package main

import "os"

// openReadOnly opens evidence. A folder holds no FIFO and no device on this system.
func openReadOnly(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDONLY, 0) }

// openDir opens a folder.
func openDir(path string) (*os.File, error) { return openReadOnly(path) }
