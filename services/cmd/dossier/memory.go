package main

import "github.com/dossier-cdp/dossier/services/internal/machine"

const mib = int64(1) << 20

// memoryLimit is what the Go heap of the main process is kept under where that can be, in bytes: a sixteenth of the memory that there is,
// within 384 MiB and 1 GiB. It is no wall. Too near to what lives, it costs more than anything else: under full load about 300 MB live,
// and a limit of 384 MiB had the heap collected five times a second, for a third of all CPU.
func memoryLimit() int64 { return min(max(machine.Memory()/16, 384*mib), 1024*mib) }

// identityCache is how much of the identity state is kept unpacked in memory, in bytes: a hundredth of the memory that there is, within
// 32 and 256 MiB. Filters and indexes of a state that outgrows it are read from disk again and again: with 10,000,000 events stored and
// 32 MiB, a quarter of all CPU of a load went into that. It is given back at rest.
func identityCache() int64 { return min(max(machine.Memory()/96, 32*mib), 256*mib) }

// careMemory is how much of the conversations and cases that go on is kept in memory, in bytes: half a hundredth of the memory that there is, within
// 16 and 128 MiB. What is not there is read from the state at its next contact. It is given back at rest.
func careMemory() int64 { return min(max(machine.Memory()/192, 16*mib), 128*mib) }
