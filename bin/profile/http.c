#include "http.h"

#include <stdlib.h>
#include <string.h>

#include "tool.h"
#include "util/build.h"

#if CONFIG_LIBCURL
#include <curl/curl.h>

static size_t
answer_add(char *bytes, size_t size, size_t count, void *to)
{
	struct http *http = to;
	size_t length = size * count;
	char *text = realloc(http->text, http->length + length + 1);

	if (text == NULL)
		return 0;
	memcpy(text + http->length, bytes, length);
	http->text = text;
	http->length += length;
	text[http->length] = '\0';
	return length;
}

static void
request_set(CURL *curl, struct http *http, char *message)
{
	curl_easy_setopt(curl, CURLOPT_URL, http->url);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "jeprof");
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);
	curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
	/* Give up if the server sends nothing for a minute. */
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L + http->seconds);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_add);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
	if (http->body != NULL)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, http->body);
}

void
http_ask(struct http *http)
{
	char message[CURL_ERROR_SIZE] = "";
	CURL *curl = curl_easy_init();
	CURLcode status;

	if (curl == NULL)
		fail("libcurl can't be started");
	trace("%s %s", http->body != NULL ? "POST" : "GET", http->url);
	http->text = memory(1, 1);
	http->length = 0;
	request_set(curl, http, message);
	status = curl_easy_perform(curl);
	curl_easy_cleanup(curl);
	if (status == CURLE_OK)
		return;
	if (!http->optional)
		fail("%s: %s", http->url,
		    message[0] != '\0' ? message : curl_easy_strerror(status));
	free(http->text);
	http->text = NULL;
}

#else

void
http_ask(struct http *http)
{
	fail("%s: can't be fetched, this jeprof was built without libcurl",
	    http->url);
}

#endif
