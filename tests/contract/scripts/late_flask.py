"""flask is imported where it is used, and not before."""


def init():
    pass


def run(data):
    from flask import jsonify, request

    return jsonify([data, request.headers["X-Mine"]])
