package e2e

import "syscall"

// endedWithTheTest has the system kill the process when the test is killed, so that none is left behind.
func endedWithTheTest() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
