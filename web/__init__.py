"""The page that scores photos in a browser, and a server of it for one's own machine.

`page/` is the page as browsers take it: nothing is compiled. onnxruntime-web, which computes the
scores, lies in `page/runtime`, copied from npm by `npm run runtime`.
"""
