/* unwind_chain.c, as compiled with several flags. */
#ifndef UNWIND_CHAIN_H
#define UNWIND_CHAIN_H

int chain_o0(int (*function)(void *), void *arg);
int chain_o2(int (*function)(void *), void *arg);
int chain_fp(int (*function)(void *), void *arg);

#endif
