/** Takes an upload's form apart: the body is whole already, because its hash had to be checked first. */
import type { IncomingHttpHeaders } from "node:http";
import { Refused } from "../wire";

export interface Form {
  fields: Map<string, string>;
  file: Buffer | undefined;
}

/** Throws Refused when it is no form. */
export function parseForm(headers: IncomingHttpHeaders, body: Buffer): Form {
  const boundary = /^multipart\/form-data;.*boundary="?([^";]+)"?/i.exec(headers["content-type"] ?? "")?.[1];
  if (!boundary) throw new Refused(400, "invalid_form", "An upload is multipart/form-data.");
  const form: Form = { fields: new Map(), file: undefined };
  const delimiter = Buffer.from(`--${boundary}`);
  let at = body.indexOf(delimiter);
  while (at !== -1) {
    const start = at + delimiter.length + 2;
    const next = body.indexOf(delimiter, start);
    if (next === -1) break;
    takePart(form, body.subarray(start, next - 2));
    at = next;
  }
  return form;
}

function takePart(form: Form, part: Buffer): void {
  const headEnd = part.indexOf("\r\n\r\n");
  const head = part.subarray(0, headEnd).toString();
  const name = /name="([^"]*)"/i.exec(head)?.[1] ?? "";
  const content = part.subarray(headEnd + 4);
  if (/filename="/i.test(head)) form.file = Buffer.from(content);
  else form.fields.set(name, content.toString());
}
