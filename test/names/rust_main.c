void rust(void);

int
main(void)
{
	rust();
	return 0;
}
