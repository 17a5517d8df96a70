// Package channel holds what every mapper shares: what a source declares, who hands a payload in, how an account is chosen, how
// a stated time is read, and every reason for which an event is refused.
//
// A mapper is a pure function: payload → event, or a reason to refuse. There is one in each sub-package: segment reads Segment's
// tracking API, native our own event JSON, mapping turns rows of a file into native events. What a mapper returns depends on the
// payload and the source's settings alone; the receipt enters only where the payload states no time, and to refuse the future.
//
// It does no I/O, reads no clock, and derives no id: persona, event id and key are derived from its result by the collector.
package channel
