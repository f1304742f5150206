/** `tidegate serve`: collects, closes hours and serves the API, until it is told to stop. */
import { once } from 'node:events';
import type { Command } from './command.ts';
import { hintAtFirstProject } from './projects.ts';
import { SERVER_OPTIONS, serverConfigOf } from './server-config.ts';

export const serveCommand: Command = {
  words: ['serve'],
  summary: 'Collect events, close each hour and serve the export API.',
  options: SERVER_OPTIONS,
  run: async ({ options, print, signal }) => {
    const { openServer } = await import('../system.ts'); // here, so that other commands start without it
    const server = await openServer(serverConfigOf(options));
    if (!signal.aborted) {
      const host = server.host.includes(':') ? `[${server.host}]` : server.host;
      const data = options.text('data');
      print(`Tidegate serves on http://${host}:${server.port} with data in ${data}. Ctrl-C stops it.`);
      // A data directory that was just made may be a misspelt one.
      if (!server.hadProjects) print(hintAtFirstProject(data));
      await once(signal, 'abort');
    }
    await server.close();
  },
};
