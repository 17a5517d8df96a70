// Package destination is what leaves the house: to whom, under which conditions, and in what form.
//
// A Destination is read from the section destinations of the configuration. It takes feeds: the audiences of segments, alerts, and the feed of merges and
// splits. Nothing about a person leaves without a purpose; May decides at the moment of sending, by what is known of the person then, and says why not.
//
// A Message is the same in every form and in every attempt: Body makes a webhook's, CloudEvent a topic's, Row a file's, and Upsert what a CRM is sent.
//
// It does no I/O, and knows neither clocks nor secrets: those are names here.
package destination
