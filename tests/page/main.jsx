import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import App from './App.jsx'
import Stock from './stock.jsx'

createRoot(document.getElementById('root')).render(
  <StrictMode>
    {location.search === '?stock' ? <Stock /> : <App />}
  </StrictMode>,
)
