# jeprof, the tool that reads heap profiles; built if its libraries are there.
EXTRA_DIST += doc/jeprof.1
if JEPROF
noinst_PROGRAMS += bin/jeprof
endif
bin_jeprof_CPPFLAGS = $(AM_CPPFLAGS) $(JEPROF_CFLAGS) $(LIBEDIT_CFLAGS) \
	$(LIBCURL_CFLAGS) $(ZLIB_CFLAGS) -I$(top_srcdir)/bin/profile \
	-Ibin/profile
bin_jeprof_LDADD = $(JEPROF_LIBS) $(LIBEDIT_LIBS) $(LIBCURL_LIBS) $(ZLIB_LIBS) -lm
bin_jeprof_SOURCES = $(jeprof_sources)
jeprof_sources = \
	bin/profile/disassembly.c bin/profile/disassembly.h \
	bin/profile/dump.c bin/profile/dump.h \
	bin/profile/dump_build.c bin/profile/dump_build.h \
	bin/profile/dump_maps.c bin/profile/dump_maps.h \
	bin/profile/dump_proto.c bin/profile/dump_proto.h \
	bin/profile/enclosing.c bin/profile/enclosing.h \
	bin/profile/escape.c bin/profile/escape.h \
	bin/profile/flame.c bin/profile/flame.h \
	bin/profile/gzip.c bin/profile/gzip.h \
	bin/profile/holes.c bin/profile/holes.h \
	bin/profile/http.c bin/profile/http.h \
	bin/profile/images.c bin/profile/images.h \
	bin/profile/input.c bin/profile/input.h \
	bin/profile/interactive.c bin/profile/interactive.h \
	bin/profile/jeprof.c \
	bin/profile/jit.c bin/profile/jit.h \
	bin/profile/names.c bin/profile/names.h \
	bin/profile/options.c bin/profile/options.h \
	bin/profile/owners.c bin/profile/owners.h \
	bin/profile/page_parts.c bin/profile/page_parts.h \
	bin/profile/parse.h \
	bin/profile/pattern.c bin/profile/pattern.h \
	bin/profile/process.c bin/profile/process.h \
	bin/profile/proto_fields.h \
	bin/profile/remote.c bin/profile/remote.h \
	bin/profile/report.c bin/profile/report.h \
	bin/profile/report_callgrind.c bin/profile/report_disasm.c \
	bin/profile/report_edges.c bin/profile/report_flame.c \
	bin/profile/report_graph.c bin/profile/report_html.c \
	bin/profile/report_list.c \
	bin/profile/report_proto.c bin/profile/report_raw.c \
	bin/profile/report_text.c bin/profile/report_weblist.c \
	bin/profile/routines.c bin/profile/routines.h \
	bin/profile/rust_names.c bin/profile/rust_names.h \
	bin/profile/samples.c bin/profile/samples.h \
	bin/profile/scopes.c bin/profile/scopes.h \
	bin/profile/selftest.c bin/profile/selftest.h \
	bin/profile/session.c bin/profile/session.h \
	bin/profile/source.c bin/profile/source.h \
	bin/profile/stacks.c bin/profile/stacks.h \
	bin/profile/symbols.c bin/profile/symbols.h \
	bin/profile/symtab.c bin/profile/symtab.h \
	bin/profile/tool.c bin/profile/tool.h \
	bin/profile/units.c bin/profile/units.h \
	bin/profile/viewer.c bin/profile/viewer.h \
	bin/profile/wire.c bin/profile/wire.h

# Scripts and styles of its pages become strings.
page_parts = bin/profile/flame.js bin/profile/page.js bin/profile/page.css
EXTRA_DIST += $(page_parts)
page_headers = bin/profile/flame.js.h bin/profile/page.js.h \
	bin/profile/page.css.h
bin/profile/jeprof-page_parts.$(OBJEXT) \
bin/profile/test_fuzz_jeprof_mutants-page_parts.$(OBJEXT): $(page_headers)
$(page_headers): bin/profile/%.h: bin/profile/%
	@$(MKDIR_P) bin/profile
	$(AM_V_GEN)sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $< > $@.tmp && \
	    mv $@.tmp $@
