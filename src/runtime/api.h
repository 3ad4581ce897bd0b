/* api.h - what the public functions remember, to those who look after a fork. The functions themselves are in cpprof.h. */
#ifndef CPPROF_RUNTIME_API_H
#define CPPROF_RUNTIME_API_H

/* In a fork child, before anything else, after cpu_forked(): no CPU profile has been begun. */
void api_forked(void);

#endif
