// Objects of known kinds, for `jeheap analyze`: prints their kinds and places.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <list>
#include <map>
#include <set>
#include <string>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace
{

struct Shape {
	virtual ~Shape() = default;
	double area = 1.5;
};

struct Circle : Shape {
	long radius = 7;
};

struct Table { // of functions, as C programs have it
	int (*call)(const char *);
	long a, b;
};

struct Node {
	Node *next;
	long value;
};

struct Pointers {
	void *to[14];
};

uint64_t seed = 1;

uint64_t
next()
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

template <class T>
T *
made(const char *kind, size_t size = sizeof(T))
{
	T *object = static_cast<T *>(calloc(1, size));

	printf("%s %p\n", kind, static_cast<void *>(object));
	return object;
}

// Allocators that tell where the nodes of a container are.
const char *kind_now;

template <class T> struct Telling {
	using value_type = T;
	Telling() = default;
	template <class U> Telling(const Telling<U> &)
	{
	}
	T *
	allocate(size_t n)
	{
		T *object = static_cast<T *>(malloc(n * sizeof(T)));

		if (n == 1)
			printf("%s %p\n", kind_now,
			    static_cast<void *>(object));
		return object;
	}
	void
	deallocate(T *object, size_t)
	{
		free(object);
	}
	bool
	operator==(const Telling &) const
	{
		return true;
	}
};

} // namespace

static void *kept[100000];
static unsigned nkept;

int
main()
{
	static std::map<int, std::string, std::less<int>,
	    Telling<std::pair<const int, std::string>>>
	    map;
	static std::set<long, std::less<long>, Telling<long>> set;
	static std::list<int, Telling<int>> list;
	static std::unordered_map<int, double, std::hash<int>,
	    std::equal_to<int>, Telling<std::pair<const int, double>>>
	    hash;
	Node *last = nullptr;

	for (int i = 0; i < 300; i++) {
		made<char>("zero", 24 + i);
		Shape *shape = i % 2 ? new Shape : new Circle;
		printf("%s %p\n", i % 2 ? "Shape" : "Circle",
		    static_cast<void *>(shape));
		kept[nkept++] = shape;
		Table *table = made<Table>("table");
		table->call = puts;
		table->a = i;
		kept[nkept++] = table;
		char *text = made<char>("text", 40);
		snprintf(text, 40, "line %d of a text", i);
		kept[nkept++] = text;
		char *wide = made<char>("wide", 48);
		for (int j = 0; j < 12; j++)
			wide[2 * j] = static_cast<char>('a' + j);
		kept[nkept++] = wide;
		Node *node = made<Node>("node");
		*node = { last, i };
		last = node;
		Pointers *pointers = made<Pointers>("pointers");
		for (int j = 0; j < 14; j++)
			pointers->to[j] = j % 2 ? static_cast<void *>(shape)
						: table;
		kept[nkept++] = pointers;
		auto *vector = new std::vector<long>(50, i);
		printf("vector %p\n", static_cast<void *>(vector));
		kept[nkept++] = vector;
		int *ints = made<int>("numbers", 64);
		for (int j = 0; j < 16; j++)
			ints[j] = j * i;
		kept[nkept++] = ints;
		double *reals = made<double>("numbers", 64);
		for (int j = 0; j < 8; j++)
			reals[j] = j * 0.37 + i;
		kept[nkept++] = reals;
		uint64_t *noise = made<uint64_t>("binary", 96);
		for (int j = 0; j < 12; j++)
			noise[j] = next() | 1u << 31;
		kept[nkept++] = noise;
		kind_now = "tree";
		map[i] = "a text that is too long to be in the node";
		set.insert(i);
		kind_now = "list";
		list.push_back(i);
		kind_now = "hash";
		hash[i] = i;
	}
	kept[nkept++] = last;
	puts("ready");
	fflush(stdout);
	pause();
}
