/* A module to be loaded and unloaded; FRAME is the size of its function's frame, so that two builds of it differ in what
 * their unwind tables say at the same place. */
int module_call(int (*function)(void *), void *arg);

int module_call(int (*function)(void *), void *arg)
{
	volatile char pad[FRAME];
	pad[0] = 1;
	return function(arg) + pad[0] - 1;
}
