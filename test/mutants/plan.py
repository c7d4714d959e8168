"""Which tests must notice a mistake in which file: the only place that says so.

First the unit test of the module runs, then those of its folder but for SLOW,
then what FILES has for the file and the quick programs of the folder, then the
wide ones and SLOW; in each of these four groups, the fastest first. Names: a
stress program, an integration test by its ending, a unit test as folder/name.
"""
import os

FOLDERS = {
    # folder: (quick, wide)
    "util": ("mallctl-effects contents glibc bad-sizes",
             "stats/test_emitter conf/test_value arena/test_slab statistics.py bad-conf.sh "
             "malloc-info.sh"),
    "os": ("start-end small-start glibc contents max-maps",
           "extent/test_metadata huge/test_pageslab background spawn fork-storm sandbox "
           "bad-conf.sh contract.py refused"),
    "conf": ("options-constant aborts mallctl-names mallctl-effects",
             "bad-conf.sh contract.py start-end corruption options-manual.py"),
    "extent": ("pages/test_pages_locks contents cross-free hooks arenas dss mallctl-effects",
               "arena/test_large huge/test_huge_pages pages/test_hooked defrag max-maps background "
               "sandbox fork-storm pages/test_page_source statistics.py limits"),
    "huge": ("contents cross-free arenas mallctl-effects",
             "background fork-storm statistics.py limits option-effects"),
    "pages": ("contents cross-free hooks arenas dss mallctl-effects",
              "arena/test_large defrag max-maps background sandbox fork-storm "
              "pages/test_page_source statistics.py limits"),
    "arena": ("contents cross-free burst thread-churn batch arenas hooks mallctl-effects",
              "background corruption defrag fork-storm profile statistics.py controls"),
    "cache": ("every-call marks contents cross-free thread-churn burst batch tls-destructors main-leaves",
              "mallctl-effects corruption arenas background signals fork-storm profile "
              "statistics.py controls"),
    "guard": ("guarded guarded-bugs arena/test_large cache/test_thread",
              "damage bad-pointers fork-storm mallctl-effects heap-walk heap-layout.py "
              "report-figures.py"),
    "upkeep": ("background controls burst thread-churn mallctl-effects",
               "footprint.sh fork-storm spawn start-end signals statistics.py"),
    "unwind": ("profile", "profile-storm signals profile-records.py"),
    "prof": ("profile profile-hooks mallctl-effects profile-storm",
             "spawn fork-storm profile-records.py prof-signal.py prof-faults.py profile-estimates"),
    "stats": ("mallctl-effects mallctl-names glibc malloc-info.sh",
              "arenas background batch profile statistics.py mallctl-fuzz controls"),
    "heap": ("heap-walk heap-layout.py", "jeheap.py fork-storm mallctl-effects"),
    "ctl": ("mallctl-names mallctl-answers mallctl-effects mallctl-fuzz arenas options-constant glibc",
            "contract.py hooks background batch profile profile-hooks aborts statistics.py "
            "pprof.py controls"),
    "api": ("every-call marks contents bad-sizes glibc batch errno-kept cross-free start-end small-start",
            "aborts corruption spawn atfork-handlers fork-storm tls-destructors signals cancel "
            "mallctl-effects options-constant profile profile-hooks malloc-info.sh contract.py "
            "batch-alloc.py sandbox refused"),
}
FILES = {
    "src/api/batch.c": "batch batch-alloc.py",
    "src/api/boot.c": "start-settings prof-signal.py statistics.py option-effects tls-destructors",
    "src/api/checked": "damage bad-pointers option-effects guarded arena/test_canary",
    "src/api/dlopen.c": "deepbind.sh dlopen.sh",
    "src/api/dlsym.c": "dlsym.sh sanitizers.sh wrapped.sh",
    "src/api/foreign.c": "corruption dlopen.sh",
    "src/api/fork.c": "fork-anywhere start-settings fork-storm atfork-handlers spawn background",
    "src/api/glibc.c": "own-malloc",
    "src/api/inspect.c": "corruption damage bad-pointers",
    "src/api/malloc.c": "resize",
    "src/api/mallocx.c": "resize",
    "src/api/operator": "operators.sh operators-opened.sh",
    "src/api/prof_signal.c": "prof-signal.py",
    "src/api/release.c": "corruption profile by-bytes",
    "src/api/request.c": "refused profile damage",
    "src/api/resize.c": "resize profile damage",
    "src/api/sampled.c": "profile profile-hooks profile-estimates",
    "src/api/stats_print.c": "statistics.py",
    "src/arena/bin.c": "heap-walk",
    "src/arena/canary.c": "damage bad-pointers",
    "src/arena/ledger.c": "damage bad-pointers heap-walk heap-layout.py",
    "src/arena/wipe.c": "arena/test_canary damage bad-pointers",
    "src/cache/quarantine.c": "damage bad-pointers heap-walk heap-layout.py option-effects",
    "src/cache/sampler.c": "profile profile-estimates guarded",
    "src/cache/thread.c": "mallctl-answers",
    "src/conf/safety.c": "corruption aborts",
    "src/ctl/ctl_prof.c": "profile-answers profile profile-hooks",
    "src/ctl/ctl_stats.c": "statistics.py",
    "src/extent/extent_hooks.c": "hooks",
    "src/pages/guards.c": "arena/test_large arena/test_large_freed",
    "src/pages/page_source.c": "arena/test_large",
    "src/pages/hooked.c": "hooks",
    "src/pages/hidden.c": "option-effects",
    "src/extent/limit.c": "memory-limits",
    "src/os/c_library.c": "dlsym.sh wrapped.sh",
    "src/os/cgroup.c": "memory-limits",
    "src/os/dss.c": "dss",
    "src/os/message.c": "conf/test_safety aborts",
    "src/os/os_thread.c": "background spawn",
    "src/prof/prof_dump.c": "closed-libraries.py",
    "src/prof/prof_elf.c": "closed-libraries.py pprof.py",
    "src/prof/prof_log.c": "profile-records.py",
    "src/prof/prof_mappings.c": "pprof.py closed-libraries.py",
    "src/prof/prof_objects.c": "closed-libraries.py",
    "src/prof/prof_pprof.c": "pprof.py closed-libraries.py",
    "src/prof/prof_recent.c": "profile-records.py",
    "src/stats/account.c": "report-figures.py",
    "src/stats/figures.c": "report-figures.py",
    "src/stats/report_recent.c": "profile-records.py",
    "src/stats/report": "statistics.py report-figures.py",
    "src/upkeep/trim.c": "glibc arenas memory-limits",
}
SLOW = ["pages/test_page_source"]


def unit_tests(root, folder):
    """The unit tests of a folder, as folder/name."""
    place = os.path.join(root, "test", "unit", folder)
    return sorted(folder + "/" + name[:-2] for name in os.listdir(place)
                  if name.startswith("test_") and name.endswith(".c"))


def path_of(name):
    """The test's path: below the build folder, or from the source folder."""
    if name.endswith((".py", ".sh")):
        return "test/integration/" + name
    return "test/unit/" + name if "/" in name else "test/stress/" + name


def tests_of(root, path, only_quick=False):
    """The tests for a source file, as paths, in groups to be built together."""
    _, folder, file = path.split("/")
    own = f"{folder}/test_{os.path.splitext(file)[0]}"
    units = unit_tests(root, folder)
    special = [names for start, names in FILES.items() if path.startswith(start)]
    quick, wide = FOLDERS[folder]
    groups = [[name for name in units if name == own],
              [name for name in units if name != own and name not in SLOW],
              quick.split() + " ".join(special).split(),
              [] if only_quick else wide.split() + [name for name in SLOW if name in units]]
    seen, result = set(), []
    for group in groups:
        fresh = [n for n in dict.fromkeys(group) if n not in seen]
        seen.update(fresh)
        if fresh:
            result.append([path_of(name) for name in fresh])
    return result
