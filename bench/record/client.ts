/** Requests a URL a number of times, and reads each response to its end. Node sends it through HTTPS_PROXY. */
const [url = '', times = '1'] = process.argv.slice(2);
for (let index = 0; index < Number(times); index += 1) {
  const response = await fetch(url);
  for await (const _ of response.body ?? []);
}
