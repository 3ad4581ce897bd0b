/* ids.h - the hooks of setuid and its kin, to the constructor. */
#ifndef CPPROF_RUNTIME_HOOKS_IDS_H
#define CPPROF_RUNTIME_HOOKS_IDS_H

/* Finds the functions that the hooks stand before. From the constructor; a hook that is called earlier does it by itself. */
void ids_find_real(void);

#endif
