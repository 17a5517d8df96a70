// Package collector takes events in over HTTP: Segment's tracking API, our own event JSON, and webhooks by their source's mapping. Deliver takes
// in what another input has mapped, such as records of a topic.
//
// A request is authenticated, read within limits, taken apart into items, and each item mapped by a pure function of
// pipelines/channel, given its persona and id, sealed, and written to the log, keyed by persona. A 2xx is answered only after all
// in-sync replicas have every accepted event and every dead letter of the request. When the log is slow or gone the answer is
// 503 with Retry-After, at once; the sender tries again, and what was written after all folds into one event by its id.
//
// One bad event does not spoil its batch: it is refused with index, code, reason and hint, and goes whole to the dead letters.
// Three kinds of refusal store nothing: what is not JSON, what the sender is not allowed to send, and what occurred before a person was
// erased.
//
// Memory is bounded: a request by the limit of its body, all requests together by a budget of bytes, and what waits for the log by
// the batcher. A sender that is slow or never ends is cut off.
//
// The package knows no Kafka client, no file and no clock of its own: Config brings them.
package collector
