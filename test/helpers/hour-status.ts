/** What the export API says of an hour. */
import { ExportClient, getToken } from '../../src/client/export-client.ts';
import { formatBeijingHour, type Hour } from '../../src/events/hour.ts';
import type { TestServer } from './test-server.ts';
import { waitUntil } from './wait-until.ts';

/** Polls an hour until it is FINISHED or ERROR; gives the status and the reason. */
export async function endStatus(
  server: TestServer,
  hour: Hour,
): Promise<{ readonly status: string; readonly errorMsg: string }> {
  const { baseUrl, clock, project } = server;
  const { ai, uid, clientId, secret } = project;
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
  const client = new ExportClient({ baseUrl, clientId, token, ai });
  const date = formatBeijingHour(hour);
  return waitUntil(`the hour ${date} is FINISHED or ERROR`, async () => {
    const { status, errorMsg } = await client.exportHour('page', { date });
    return (status === 'FINISHED' || status === 'ERROR') && { status, errorMsg };
  });
}
