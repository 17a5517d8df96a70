// Package metrics answers care's metrics: it runs the statements that pipelines/care/metric compiles, and hands the counted rows back to it.
//
// It holds no rule of its own. A figure and its rows come from one statement's inner part, so that the rows that a caller downloads make the
// very figure. The engine is asked on bounded threads and memory, a few figures at a time: those who explore must not take it from those who
// serve customers.
package metrics
