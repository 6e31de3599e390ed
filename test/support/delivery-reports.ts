/** What a report on the delivery of a mail says. */
export interface TestReport {
  readonly action?: string;
  readonly status?: string;
  readonly finalRecipient?: string;
  readonly originalRecipient?: string;
  readonly diagnostic?: string;
  readonly envelopeId?: string;
  /** Headers of the mail that come back; undefined: none do. */
  readonly returned?: string;
}

/** A report as Postfix makes them, with line ends as a program that is piped to gets them. */
export function deliveryReport(report: TestReport): string {
  const { action = 'failed', status = '5.1.1', returned } = report;
  const { finalRecipient = 'nobody@sample.test', diagnostic = 'smtp; 550 5.1.1 No such user' } =
    report;
  const line = (name: string, value: string | undefined) =>
    value === undefined ? '' : `${name}: ${value}\n`;
  return `Return-Path: <>
Received: by mx.sample.test (Postfix); Fri, 27 Nov 2026 07:00:00 +0000 (UTC)
From: MAILER-DAEMON@mx.sample.test (Mail Delivery System)
To: noreply@id.test
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4XyZ1.1764226800/mx.sample.test"
Message-Id: <4XyZ1@mx.sample.test>

This is a MIME-encapsulated message.

--4XyZ1.1764226800/mx.sample.test
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients.

--4XyZ1.1764226800/mx.sample.test
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.sample.test
${line('Original-Envelope-Id', report.envelopeId)}X-Postfix-Queue-ID: 4XyZ1
Arrival-Date: Fri, 27 Nov 2026 07:00:00 +0000 (UTC)

Final-Recipient: rfc822; ${finalRecipient}
${line('Original-Recipient', report.originalRecipient)}Action: ${action}
Status: ${status}
Remote-MTA: dns; mail.sample.test
Diagnostic-Code: ${diagnostic}

${
  returned === undefined
    ? ''
    : `--4XyZ1.1764226800/mx.sample.test
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

${returned}
`
}--4XyZ1.1764226800/mx.sample.test--
`;
}
