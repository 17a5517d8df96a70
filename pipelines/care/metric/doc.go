// Package metric says what care measures: the catalogue of metrics, the rows that each one counts, and the figure that rows come to.
//
// A metric is one entry of one table (Catalogue). It names a subject (surveys, conversations, replies, cases, people), when a row counts, why
// a row is left out, and a statistic. Compile turns an entry and a Query into two statements over the tables of package care: one that
// counts, one that lists the very same rows with their reasons. So a figure and its rows cannot differ. Figures ends the work: it makes of
// counted rows values with intervals (package stat), and hides what is of too few people.
//
// Guarantees. Everything is a function of the rows, of the query and of its Now: no clock is read here. Counts and sums are exact integers, so
// no order of rows changes a bit. No row vanishes: what is of the subject and not counted is listed with a reason.
//
// Durations are in microseconds within, and in seconds in a Figure; ratings are in millionths within. Shares are in percent, net scores in
// points.
package metric
