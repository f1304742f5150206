/** Reads what a server shows at /metrics. */
import type { TestServer } from './test-server.ts';

/** Gives the samples whose names fit, sorted, each as it is shown: name, labels and value. */
export async function readMetrics(server: TestServer, name: RegExp): Promise<readonly string[]> {
  const response = await fetch(`${server.baseUrl}/metrics`);
  const lines = (await response.text()).split('\n');
  return lines.filter((line) => !line.startsWith('#') && name.test(line.split(/[{ ]/, 1)[0]!)).sort();
}
