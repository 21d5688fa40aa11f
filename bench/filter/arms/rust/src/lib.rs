//! Puts each header of its configuration, `{"NAME": "VALUE", …}`, on each response: the benchmark's filter as one writes
//! it with the Rust SDK. The configuration is parsed once; a stream shares it and copies nothing.
use std::collections::BTreeMap;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

type Headers = Rc<BTreeMap<String, String>>;

#[derive(Default)]
struct Root {
    headers: Headers,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let bytes = self.get_plugin_configuration().unwrap_or_default();
        match serde_json::from_slice(&bytes) {
            Ok(headers) => {
                self.headers = Rc::new(headers);
                true
            }
            Err(error) => {
                log::error!("configuration refused: {error}");
                false
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { headers: Rc::clone(&self.headers) }))
    }
}

struct Stream {
    headers: Headers,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        for (name, value) in self.headers.iter() {
            self.set_http_response_header(name, Some(value));
        }
        Action::Continue
    }
}
