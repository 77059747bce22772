// Aligned columns for people.
#pragma once

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

namespace heed::tool {

// Rows of text; every column but the last is as wide as its widest cell, numbers stand right.
class Table {
 public:
  enum class Align : uint8_t { left, right };
  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }

  void print(std::ostream& out, std::string_view indent = "  ") const {
    std::vector<size_t> widths(columns_.size(), 0);
    for (const auto& row : rows_)
      for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
    for (const auto& row : rows_) {
      std::string line(indent);
      for (size_t i = 0; i < row.size(); ++i) {
        const std::string space(widths[i] - width_of(row[i]), ' ');
        line += i ? "  " : "";
        line += columns_[i] == Align::right ? space + row[i] : row[i] + space;
      }
      while (!line.empty() && line.back() == ' ') line.pop_back();
      out << line << "\n";
    }
  }

 private:
  static size_t width_of(const std::string& text) {  // characters of UTF-8
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  }
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// At most so many bytes: the end left out, or the beginning, which names of nodes share.
inline std::string cut(const std::string& text, size_t width) {
  return text.size() <= width ? text : text.substr(0, width > 3 ? width - 3 : 0) + "...";
}
inline std::string cut_front(const std::string& text, size_t width) {
  return text.size() <= width ? text : "..." + text.substr(text.size() - (width > 3 ? width - 3 : 0));
}

// "5.7 MB", of 10^6 bytes.
inline std::string size_text(double bytes) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < std::size(units)) bytes /= 1000, ++unit;
  char text[40];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
  return text;
}

}  // namespace heed::tool
