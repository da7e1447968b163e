/** An answer that is an error, in Stripe's words. */
export class StripeError extends Error {
  readonly status: number;
  readonly body: { error: Record<string, unknown> };
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    message: string,
    { type = 'invalid_request_error', headers = {}, ...fields }: ErrorFields = {},
  ) {
    super(message);
    this.status = status;
    this.headers = headers;
    const docUrl = fields.code
      ? { doc_url: `https://stripe.com/docs/error-codes/${dashed(fields.code)}` }
      : {};
    this.body = { error: { type, message, ...fields, ...docUrl } };
  }
}

type ErrorFields = { type?: string; code?: string; param?: string; headers?: Record<string, string> };

function dashed(code: string): string {
  return code.replaceAll('_', '-');
}

export function missing(what: string, id: string, param = 'id', status = 404): StripeError {
  return new StripeError(status, `No such ${what}: '${id}'`, { code: 'resource_missing', param });
}
