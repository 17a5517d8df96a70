//go:build !linux

package kafkatest

import "syscall"

func endedWithTheTest() *syscall.SysProcAttr { return nil }
