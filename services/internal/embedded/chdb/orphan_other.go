//go:build !linux

package chdb

import "syscall"

// childAttributes keeps the terminal's Ctrl-C from the child. Without the kernel's help, the child watches its stdin alone.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
