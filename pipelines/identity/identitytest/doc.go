// Package identitytest holds the cases that identity resolution must get right, and runs them against anything that resolves.
//
// A case is a few records, as a person would tell the story, and who is who in the end. It must come out the same in every order: every permutation
// of few events, a hundred shuffles of more; with every event twice; and resolved after each event. What a case expects is stated whole for profiles,
// and as the least for possible matches.
//
// # The complaints of other systems' users
//
// Thirty threads in which users of other systems say what went wrong, what is proven here against each, and where. Tests without a package are
// pipelines/identity's.
//
//	 1 ids glued, no way back             TestComplaint01_UnmergeAnySubset                      any part of what is together comes apart by decisions, and together again by their release; services/identity: TestSimulatedIsWhatComes previews other rules and models
//	 2 a split blanks the person          TestComplaint02_SplitEveryMember                      each member off, also the canonical one; every id leads to somebody with evidence
//	 3 sentinel ids                       TestComplaint03_SentinelsMergeNobody                  unlisted values of five kinds, by degree alone
//	 4 shared device                      TestComplaint04_SharedDeviceJoinsNoTwoKnown           three known people and a kiosk
//	 5 team mailbox                       TestComplaint05_TeamMailboxJoinsNoTeam
//	 6 bulk un-merge                      TestComplaint06_UnmergeByRuleOrEvidence               another rule, or a blocked value, parts what rested on it and nothing else
//	 7 un-merge later                     TestComplaint07_UnmergeLater                          link and release leave nothing, among random events; services/identity: TestLinkAndReleaseEqualNeverLinked
//	 8 races                              services/identity: TestComplaint08_RacesChangeNothing eight senders at once over four partitions against one sender
//	 9 disorder needs a buffer            TestComplaint09_NoBuffer                              decided after each event, in every order; and TestIncrementalIsFull
//	10 a merge loses properties           pipelines/persona: TestComplaint10_MergesLoseNothing  every value said is a trait's value or a runner-up
//	11 history not moved                  services/e2e: TestComplaint11_HistoryMovesWithTheMerge at the first read over GraphQL, and back after a split
//	12 only the last rule runs            TestComplaint12_AllRulesRun
//	13 a counter doubled                  services/e2e: TestComplaint13_NothingCountsTwice      orders sent four times around a merge are three
//	14 device records deleted             services/e2e: TestComplaint14_EvidenceIsKept          the device stands by itself after a split
//	15 the newcomer wins                  TestComplaint15_NewcomersRenameNobody                 known before earlier; every id ever handed out leads to somebody
//	16 IP addresses                       TestComplaint16_AddressesOfTheNetworkAreNoEvidence
//	17 nested properties overwritten      pipelines/persona: TestComplaint17_NestedPropertiesStand each member has its own source and runners-up
//	18 aliases survive a deletion         services/identity: TestComplaint18_ErasureIsAsIfItHadNeverBeen worlds with aliases, byte by byte; services/e2e: TestErased
//	19 deleted ids unusable               TestComplaint19_AnIDUsedAgainIsSomebodyNew            a new epoch is a new person; services/e2e: TestErased with keys
//	20 cohorts drift                      services/identity: TestComplaint20_EveryChangeIsTold  created, merged, canonical and split in the change feed; services/e2e: TestProfileFeed
//	21 large merges stall                 TestComplaint21_MergesCostNoHistory                   reads of a merge after 5 and after 20,000 events; TestGiantCostsItsLimit
//	22 the safeguard is too strict        TestComplaint22_ALinkPassesSafeguards                 recorded as overriding
//	23 ids change per run                 TestComplaint23_IDsPersist                            a run from nothing and one that goes on give the same ids
//	24 unrelated data                     TestComplaint24_UnrelatedDataChangesNothing           in strata 0 and 1; in stratum 2 beyond the model's frozen frequencies and prior nothing of others counts
//	25 results vary                       TestComplaint25_OneAnswer                             invented customers in five orders; TestAccuracyOnClients in three
//	26 components                         TestComplaint26_BetterThanComponents                  against components of the same normal forms
//	27 a record in two golden records     TestComplaint27_EveryPersonaInOneProfile
//	28 clear leaves orphans               services/identity: TestComplaint28_LostStateIsBuiltAnew the state removed, of another log, cut off
//	29 no explanation                     TestComplaint29_ExplanationsTellThePartition          why and how agree with the partition in random worlds
//	30 short names, birth dates           TestComplaint30_ShortNamesAreNames                    exact strata; weights are the model's, whose calibration package match prints
package identitytest
