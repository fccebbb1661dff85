// The client with nothing but an address, as the README has it.
import { C1Chat } from '@thesysai/genui-sdk'

export default function Stock() {
  return (
    <div style={{ position: 'fixed', inset: 0 }}>
      <C1Chat apiUrl="/api/chat?errors=card&keepalive=15&on_disconnect=grace:20" logoUrl="/favicon.svg" />
    </div>
  )
}
