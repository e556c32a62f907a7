import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** A private key and the certificate that trusts it, both PEM. */
export interface Certificate {
  readonly key: string
  readonly cert: string
}

/**
 * A new self-signed X.509 certificate for `localhost` and 127.0.0.1, valid from 2020 to 2099, on an EC P-256 key. Made
 * here, so that no key lies in the repository and no openssl program is needed. DER as RFC 5280 section 4.1 has it.
 */
export function selfSignedCertificate(): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))
  const commonName = sequence(oid('550403'), der(0x0c, Buffer.from('localhost')))
  const name = sequence(der(0x31, commonName))
  const names = sequence(
    der(0x82, Buffer.from('localhost')),
    der(0x87, Buffer.from([127, 0, 0, 1])),
  )
  const extension = (id: string, value: Buffer) => sequence(oid(id), der(0x04, value))
  const extensions = sequence(
    extension('551d13', sequence(der(0x01, Buffer.from([0xff])))),
    extension('551d11', names),
  )
  const version3 = der(0xa0, integer(Buffer.from([2])))
  const body = sequence(
    version3,
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    name,
    sequence(time('20200101000000Z'), time('20991231235959Z')),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  )
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', body, privateKey)])
  const certificate = sequence(body, ecdsaWithSha256, der(0x03, signature))
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`,
  }
}

/** Tag, length (short or long form), content. */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  if (length < 0x100) return Buffer.concat([Buffer.from([tag, 0x81, length]), content])
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), content])
}

const sequence = (...parts: Buffer[]) => der(0x30, Buffer.concat(parts))
const integer = (content: Buffer) => der(0x02, content)
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'))
const time = (text: string) => der(0x18, Buffer.from(text))
