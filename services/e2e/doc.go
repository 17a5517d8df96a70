// Package e2e tests the whole product as a user would: it builds the binary, starts it with `up` on embedded engines or on real Apache Kafka, sends it
// events with the SDKs that users have, imports real files, kills it, and asks through the command line and GraphQL.
//
// There is nothing here but tests. What they know of the product is its outer contract: commands, paths, SDL, files of the data
// folder. Figures are compared with recounts that read the input by themselves and share no code with the product.
//
//	DOSSIER_BINARY   the binary to test; default: built from this checkout
//	DOSSIER_PROVE=1  full counts instead of those that fit into `make test`
//	DOSSIER_SHARED   the folder of the data files; default: ../shared beside the checkout
//	-parallel N      how many tests run beside each other; default: two for each core. With full counts each runs alone
//	DOSSIER_E2E_KAFKA=one|three
//	                 every installation has its log in Apache Kafka, in a cluster of so many nodes that the run starts, instead of the
//	                 embedded one. What is not run there is printed with the reason.
//
// # Faults under load
//
// Each of these tests has something happen while events are sent, and ends with: no acknowledged event lost, none there twice, and the digest that of
// an installation that nothing happened to.
//
//	what happens                                                             test
//	kill -9 of up, of its engine, of a first start                           TestKilled, TestKilledAtOnce
//	kill -9 of each role in a process of its own                             TestKilledRoles, TestServe
//	a pause beyond the lease: identity, timeline, archive; keeper; collector TestPaused, TestServe
//	the network gone silent: owner and log, collector and log, api and
//	identity, keeper and everybody                                           TestPartitions
//	the cable of the owner's own network pulled (a network namespace)        TestNetworkCut
//	clocks set back and forward by an hour: collector, owner, keeper         TestPaused, under DOSSIER_PROVE=1
//	ClickHouse down, silent, read-only, its table read-only, slow            TestClickHouseFails
//	the archive's S3 server down, its folder read-only, its disk full        TestArchiveFails
//	the disk of up full, the disk of a role full                             TestDiskFull
//	brokers killed, paused, ended; too few copies; no quorum                 TestKafkaFaults
//
// # Write boundaries
//
// Every write that leaves a process, and the test that has it fail, fail although it took effect, or be late. Those of the timeline and of identity
// are in a table of their own, in package timeline.
//
//	boundary                                tested by
//	collector: events, dead letters         collector.TestWriteFaults
//	log: request to the leader              kafka.TestBatcherFaultTable, TestBatcherUnderRandomFaults, TestBatcherTimes (clock set back)
//	embedded log: file of a partition       broker.TestKill; on a full disk TestDiskFull
//	control topic                           control.TestAppendFaults
//	coordination: claims, signs, notes      coordination.TestNeverTwoOwners (lost, late, twice), TestOwnerWithoutLog
//	keeper: erasures, dead letters too      TestErased, main.TestClosedLetters
//	erasure: any step, by kill -9           TestForgotten (20 moments under DOSSIER_PROVE=1)
//	erasure: each step failed, failed but
//	applied, ended behind it; clock set back main.TestErasureFaults
//	erasure: an old key ring in place       TestOldRing
//	rotation of the master key              keeper.TestRotateMasterFaults
//	retention: timeline                     timeline.TestExpire
//	audit: a chain of records               audit.TestChains
//	keeper: ring files                      keeper.TestKilledWhileWriting, TestFaultWhileWriting, TestKilledTwice
//	state of any role: file of the store    state.TestCrashLeavesAPrefixOfCommits, TestFullDisk
//	identity: commit, sinks                 identity.TestCommitFaults, TestSinkFaults
//	timeline: intent, insert, index         timeline.TestFaultAtEveryBoundary, TestFaultWhileRecovering, TestTakeover
//	segments: people, decisions, history    segments.TestFaultAtEveryBoundary, TestAnyFaults, TestTurns, TestEraseThroughFaults
//	archive: file, manifest, delete records archive.TestFaultTable, TestS3Cut, TestS3Slow, TestS3AwayAndBack
//	intake: events and offsets              intake.TestReadingAgainAddsNothing, TestRefusedByTheLog
//	import: requests and bookmark           importer.TestCollectorThatFails, TestCarriedOn, TestKilledImport
//	backup: files and manifest              backup.TestCopyFails
package e2e
