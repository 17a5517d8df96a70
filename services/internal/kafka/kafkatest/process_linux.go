package kafkatest

import "syscall"

// endedWithTheTest has the system kill a node with the process that started it, however that ends.
func endedWithTheTest() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
