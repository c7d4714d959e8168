#!/bin/sh
# Write configure and Makefile.in. Needs autoconf, automake and libtool.
cd "$(dirname "$0")" && exec autoreconf --force --install
