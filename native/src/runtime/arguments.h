// What JavaScript hands to the addon, checked before it is used: a wrong argument is an exception, never a wrong address.
// Includes node-addon-api for everything here, because its settings have to be the same everywhere.
#pragma once
#define NAPI_VERSION 8
// Where a worker is being terminated every call into JavaScript fails, and so does throwing that failure. Nobody is left
// who could catch it: the call just returns.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>

#include <cmath>
#include <new>
#include <string>

#include "runtime/description.h"

namespace lethe {

// C++ exceptions become JavaScript ones.
template <class F> auto guarded(Napi::Env env, F&& f) {
  try {
    return f();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(env, "out of memory");
  } catch (const std::exception& e) {
    throw Napi::Error::New(env, e.what());
  }
}

constexpr int64_t kLargestWhole = (int64_t{1} << 53) - 1;  // of those a JavaScript number holds exactly

// A whole number from `low` to `high`.
inline int64_t whole(const Napi::Value& v, int64_t low, int64_t high, const char* what) {
  const double x = v.IsNumber() ? v.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!(x >= static_cast<double>(low) && x <= static_cast<double>(high) && x == std::floor(x)))
    fail(std::string(what) + " must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return static_cast<int64_t>(x);
}

inline std::string text(const Napi::Value& v, const char* what) {
  if (!v.IsString()) fail(std::string(what) + " must be a string");
  return v.As<Napi::String>();
}

// The elements of a typed array as they are now. What it points to is JavaScript's, and good until JavaScript runs again.
struct Elements {
  napi_typedarray_type type;
  const void* data;
  size_t count, bytes;
};
inline Elements elements(const Napi::Value& v, const char* what) {
  if (!v.IsTypedArray()) fail(std::string(what) + " must be a typed array");
  void* data = nullptr;
  napi_value buffer = nullptr;
  Elements e{};
  bool detached = false;
  if (napi_get_typedarray_info(v.Env(), v, &e.type, &e.count, &data, &buffer, nullptr) != napi_ok ||
      napi_is_detached_arraybuffer(v.Env(), buffer, &detached) != napi_ok)
    throw Napi::Error::New(v.Env());
  if (detached) fail(std::string(what) + " was transferred: its memory is no longer there");
  e.data = data;
  e.bytes = e.count * v.As<Napi::TypedArray>().ElementSize();
  return e;
}
inline Elements elements(const Napi::Value& v, napi_typedarray_type type, const char* what, const char* name) {
  const Elements e = elements(v, what);
  if (e.type != type) fail(std::string(what) + " must be a " + name);
  return e;
}

}  // namespace lethe
