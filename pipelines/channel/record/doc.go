// Package record makes events of the records of a company's own Kafka topics.
//
// A record's value is JSON, a CloudEvent, Avro or Protobuf. The last two are turned into JSON by a schema, and what they are turned into
// depends on bytes and schema alone. Then a mapping makes events of it; JSON and CloudEvents may do without, if they are events already.
//
// The message id of an event is its topic, partition and offset, unless the mapping or the record names one, and an event that states no
// time has the record's. So a record gives the same events however often it is read: that is what makes reading again harmless.
//
// The package is pure. Its decoders read what strangers wrote: depth, sizes and counts are bounded, and no input makes them panic.
package record
