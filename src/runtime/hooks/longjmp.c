/* longjmp.c - jumps out of a wait, from a handler that interrupted it: the wait is not published any more when the jump
 * arrives.
 *
 * The jump restores everything from its buffer, so a frame of ours below is no matter to it, nor to the check of
 * __longjmp_chk, that the target lies above the caller: our frame lies below it.
 */
#include "runtime/hooks/wait.h"

HOOK void longjmp(jmp_buf to, int value)
{
	wait_abandon();
	REAL(longjmp)(to, value);
}

HOOK void _longjmp(jmp_buf to, int value)
{
	wait_abandon();
	REAL(_longjmp)(to, value);
}

HOOK void siglongjmp(sigjmp_buf to, int value)
{
	wait_abandon();
	REAL(siglongjmp)(to, value);
}

HOOK _Noreturn void __longjmp_chk(struct __jmp_buf_tag *to, int value)
{
	wait_abandon();
	REAL(__longjmp_chk)(to, value);
	__builtin_unreachable();
}
