/* speak.h - the few lines that the library writes to the host's standard error: an address that cannot be used, or that anybody
 * can reach. Once each, from the host's own threads, without waiting, and only while descriptor 2 is what it was at start.
 */
#ifndef CPPROF_RUNTIME_SPEAK_H
#define CPPROF_RUNTIME_SPEAK_H

/* From the constructor: remembers what descriptor 2 is. */
void speak_begin(void);
/* CPPROF_ADDR is no address. */
void speak_bad_address(const char *text);
/* A variable that means nothing, as it stands. */
void speak_bad_setting(const char *name, const char *text, const char *instead);
/* Nothing can be bound there, for good. */
void speak_unbound(const char *text, int error);
/* An address that is no loopback's is served. */
void speak_open(const char *text);

#endif
