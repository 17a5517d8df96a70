//go:build cgo

package pages

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
static void dossier_trim(void) { malloc_trim(0); }
#else
static void dossier_trim(void) {}
#endif
*/
import "C"

// Trim returns free memory that was allocated outside of Go's heap to the system: the state's caches and tables of fresh writes live there.
// The C library keeps what was freed in between pieces that live on, hundreds of megabytes after a large load, and gives it back only
// when told to. It takes some milliseconds for each hundred megabytes.
func Trim() { C.dossier_trim() }
